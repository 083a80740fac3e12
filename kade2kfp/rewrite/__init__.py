"""Documents written anew without loss: in one order and layout, and as the present version of the format."""
