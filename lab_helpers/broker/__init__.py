"""The broker as its management API shows it: a client, snapshots of a virtual host, waiting.

Knows an address and nothing of how the cluster behind it was started.
"""
