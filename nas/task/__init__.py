"""What a network is trained for: photographs, degradations, losses, metrics, the training loop."""
