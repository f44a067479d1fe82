"""What can be done from a screen: each file turns the fields of a form into the actions of one transaction."""
