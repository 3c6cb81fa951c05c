"""The three ways to run the cluster: containers, processes on this host, or somebody else's."""
