"""What each `--mode` of the command line does, but for training."""
