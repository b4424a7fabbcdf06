"""Tables → page: interactive pages of one file, and the explorer of training time."""
