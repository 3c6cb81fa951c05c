"""RabbitMQ Labs: a real cluster, pictures of what happened, and a judge that asks the broker.

A notebook needs one name from here::

    from lab_helpers import Lab
    lab = Lab("04_direct_exchange")
"""

from lab_helpers.errors import LabsError
from lab_helpers.lab import Lab

__all__ = ["Lab", "LabsError"]
