#!/bin/sh
# Takes out of a Debian what serves to manage or to log into it: half of its bytes, and most of what an intruder would use.
# dpkg's list of packages stays true, as scanners read it; a shell stays, for people who look into a running container.
set -eu

rm -f /var/lib/dpkg/info/*.preinst /var/lib/dpkg/info/*.postinst /var/lib/dpkg/info/*.prerm /var/lib/dpkg/info/*.postrm
# shellcheck disable=SC2046 # one word each
dpkg --purge --force-all $(dpkg-query --show --showformat '${Package}\n' \
  adduser apt bash debconf debian-archive-keyring diffutils e2fsprogs findutils gpgv grep gzip hostname init-system-helpers \
  'libapt-pkg*' libext2fs2 libgcrypt20 libgnutls30 libgmp10 libgpg-error0 libhogweed6 libidn2-0 libnettle8 libp11-kit0 \
  'libpam*' 'libsemanage*' libsepol2 libss2 libsystemd0 libtasn1-6 libudev1 libunistring2 libxxhash0 \
  login logsave mawk mount ncurses-bin openssl passwd perl-base sed sysvinit-utils tar 'util-linux*')
# What only iconv(1) and iconv(3) read: Python has its own.
rm -rf /usr/lib/*/gconv
