"""What the paths of files say: field, channel, plate, well, site, z and time."""
