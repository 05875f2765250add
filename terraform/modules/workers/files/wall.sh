# Walls off the user that pipelines run as, before any of them starts: hostile media must reach no network, and with it
# neither the metadata server, which would hand out the VM's credentials, nor the database.
#
# The agent gives each pipeline an empty network namespace. This holds even where a kernel refuses that, and keeps
# pipelines from making user namespaces, which Docker's seccomp profile allows to a container with SYS_ADMIN.
#
# From vm.env: CHILD_UID, SCRATCH.
set -euo pipefail

for tables in iptables ip6tables; do
  rule=(OUTPUT -m owner --uid-owner "$CHILD_UID" -j REJECT)
  # Where the kernel has no REJECT, silence does as well.
  "$tables" -w -C "${rule[@]}" 2>/dev/null || "$tables" -w -I "${rule[@]}" || "$tables" -w -I "${rule[@]/REJECT/DROP}"
done
# A kernel without them has no such file.
if [[ -e /proc/sys/user/max_user_namespaces ]]; then
  sysctl -q -w user.max_user_namespaces=0
fi

install -d -m 0711 "$SCRATCH"
