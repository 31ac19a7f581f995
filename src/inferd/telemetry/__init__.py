"""What the process sees and says: its clock; its logs, with every secret taken out."""
