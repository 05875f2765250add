"""What the speech and the video pipeline share: probing, ffmpeg as a subprocess, decoded sound."""
