"""Image restoration: what makes sources of images, classical answers, and how outputs are used."""
