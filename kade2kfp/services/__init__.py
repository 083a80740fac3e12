"""What steps leave running: viewers and servings, as the commands see them."""
