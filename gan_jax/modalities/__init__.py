"""What an example is: one module for each kind."""
