"""Videos of one scene are compared with the sharp one: read in step, faces found in the sharp one, the same windows of all."""
