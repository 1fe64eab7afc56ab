"""One file per published method: the network and its anomaly scores."""
