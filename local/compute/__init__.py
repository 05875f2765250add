"""One regional managed instance group whose spot VMs are processes of this machine."""
