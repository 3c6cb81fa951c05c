"""Three RabbitMQ nodes behind HAProxy, from one of three engines, and the means to break and mend them."""

from lab_helpers.cluster.cluster import Cluster
from lab_helpers.cluster.node import Node
from lab_helpers.cluster.status import ClusterStatus, NodeStatus

__all__ = ["Cluster", "ClusterStatus", "Node", "NodeStatus"]
