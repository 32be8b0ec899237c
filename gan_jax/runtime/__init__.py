"""What a run needs of the machine: processes, devices, files, checkpoints, the record."""
