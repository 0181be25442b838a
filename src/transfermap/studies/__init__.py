"""What has a command but is no estimator: transfer by layers, where to adapt, what a net has learned."""
