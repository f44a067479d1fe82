"""The parts of the model: each turns events of one subject into the picture of one panel."""
