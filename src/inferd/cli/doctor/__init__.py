"""`inferd doctor`: what stands between this machine and a healthy node, and how to mend it."""
