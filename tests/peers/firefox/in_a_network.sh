#!/bin/sh
# Runs a command in a network of its own that looks like a machine with one address, 10.99.0.1: Firefox gathers no candidates
# on loopback. Needs root, or a kernel that lets users make namespaces. What it makes goes with the command.
#
#   in_a_network.sh COMMAND [ARGUMENT...]
set -eu

inside='
ip link set lo up
ip link add story0 type veth peer name story1
ip addr add 10.99.0.1/24 dev story0
ip link set story0 up
ip link set story1 up
# Firefox offers the address of the default route.
ip route add default via 10.99.0.2
exec "$@"
'
if [ "$(id -u)" = 0 ]; then
    exec unshare --net -- sh -eu -c "$inside" sh "$@"
fi
exec unshare --net --user --map-root-user -- sh -eu -c "$inside" sh "$@"
