"""From photographs of products to a small Keras network. Needs TensorFlow; never installed on a device."""

import os

# a decompression bomb ends as an error, not as a crash; OpenCV reads this once, when it is loaded
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))
