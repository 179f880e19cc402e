"""What a trained network looks at: effects of components and of stretches of time on single predictions, in years."""
