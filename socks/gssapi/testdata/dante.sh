#!/bin/sh
# dante.sh DIR: builds DIR/prefix/sbin/sockd, Debian's dante with GSSAPI, which Debian leaves out. It takes a
# minute, root, and
#
#	apt-get install --no-install-recommends libkrb5-dev bison flex dpkg-dev gcc make
#
# The source is downloaded with package lists of its own. Arguments after DIR are passed to configure, such as
# --disable-client.
set -e
mkdir -p "$1"
cd "$1"
shift
dir=$PWD
if ! ls dante_*.dsc >/dev/null 2>&1; then
	mkdir -p lists/partial sources
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
		[ -f "$list" ] || continue
		case $list in
		*.list) sed -n 's/^deb /deb-src /p' "$list" >"sources/${list##*/}" ;;
		*.sources) sed 's/^Types: deb$/Types: deb-src/' "$list" >"sources/${list##*/}" ;;
		esac
	done
	own="-o Dir::Etc::sourcelist=- -o Dir::Etc::sourceparts=$dir/sources -o Dir::State::lists=$dir/lists -o APT::Sandbox::User=root"
	apt-get $own -qq update || true # other archives may have no sources
	apt-get $own -qq source --download-only dante
fi
rm -rf src
dpkg-source --no-check -x dante_*.dsc src >/dev/null
cd src
# Generated files must be newer than their sources; otherwise make runs the autotools.
touch aclocal.m4
find . -name '*.m4' -exec touch {} +
sleep 1
touch aclocal.m4
sleep 1
chmod +x configure
touch configure include/autoconf.h.in
sleep 1
find . -name Makefile.in -exec touch {} +
CFLAGS="-g -O2 -fcommon" ./configure --prefix="$dir/prefix" --with-gssapi-path=/usr --without-upnp --without-libwrap \
	--without-bsdauth --without-pam --without-sasl --without-ldap "$@" >"$dir/configure.log" 2>&1
for target in all install; do
	make -k -j2 ACLOCAL=: AUTOCONF=: AUTOMAKE=: AUTOHEADER=: $target >"$dir/$target.log" 2>&1 || true # the manuals fail
done
"$dir/prefix/sbin/sockd" -v
