"""The live connection: pictures of a camera come in one by one, what is seen in each goes back at once."""
