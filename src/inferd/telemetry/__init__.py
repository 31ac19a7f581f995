"""What the node tells its operator: logs, with every secret taken out."""
