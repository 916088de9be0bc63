"""Runtime: exported files and saved networks as functions of images and photographs of any size."""
