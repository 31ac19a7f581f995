"""What the benchmarks share: processes, load, statistics, the node, its peers and the report."""
