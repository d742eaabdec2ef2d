#!/bin/sh
# Prints the path of a reverse proxy that the tests run, on one line of standard output.
#
#   scripts/proxy.sh NAME                installs Debian's package if there is none, if allowed
#   scripts/proxy.sh --no-install NAME   only looks
#
# NAME is nginx, haproxy or caddy. It is looked for at $NGINX_BIN, $HAPROXY_BIN or $CADDY_BIN, then
# in $PATH and /usr/sbin, then, as root on Debian or Ubuntu, with apt-get, which does not start it as
# a service. If everything fails, one line on standard error says what to do, and the exit status is
# 1. The Go tests run this script with --no-install.
set -eu

fail() {
	echo "proxy.sh: $1" >&2
	exit 1
}

install=yes
if [ "${1-}" = --no-install ]; then
	install=no
	shift
fi
[ $# -eq 1 ] || fail "usage: scripts/proxy.sh [--no-install] nginx|haproxy|caddy"
name=$1
case $name in
nginx) variable=NGINX_BIN path=${NGINX_BIN-} ;;
haproxy) variable=HAPROXY_BIN path=${HAPROXY_BIN-} ;;
caddy) variable=CADDY_BIN path=${CADDY_BIN-} ;;
*) fail "unknown proxy '$name'; known are nginx, haproxy and caddy" ;;
esac

if [ -n "$path" ]; then
	command -v "$path" && exit 0
	fail "$variable is '$path', which is not an executable file; set it to the path of $name or unset it"
fi

PATH=$PATH:/usr/sbin
command -v "$name" && exit 0

advice="no $name found: install the package $name (Debian: apt-get install $name) or set $variable to its path"
if [ "$install" = no ] || [ "$(id -u)" != 0 ] || [ ! -f /etc/debian_version ] || ! command -v apt-get >/dev/null; then
	fail "$advice"
fi

echo "proxy.sh: installing the package $name with apt-get" >&2
export DEBIAN_FRONTEND=noninteractive
# Another apt-get may hold the lock on a machine that has just started: wait for it.
apt="apt-get -q -y -o DPkg::Lock::Timeout=600"
# Debian starts a service when it is installed, unless this file forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
fi
# A stale or partly unreachable package list need not be fatal: the install decides.
$apt update >&2 || echo "proxy.sh: apt-get update failed; trying with the existing package lists" >&2
$apt install --no-install-recommends "$name" >&2 || fail "apt-get could not install $name; $advice"
command -v "$name" || fail "apt-get installed no $name that runs; $advice"
