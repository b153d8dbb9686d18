#!/usr/bin/env bash
# Write the root file system that an image stands on: base.sh PACKAGES FILE. PACKAGES: packages/python, java or postgres.
# It is exactly these packages of Debian 12, fetched and verified by apt, and unpacked: no package manager, no Perl, nothing that a package
# would set up. /var/lib/dpkg/status.d says which versions, for whoever looks for known weaknesses. Needs apt and dpkg, not root.
# Whoever has an official slim Python image pinned by its digest gives build.sh that one as BASE, and needs none of this.
set -euo pipefail
umask 022
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:?seconds; build.sh sets it} LC_ALL=C
packages=$(grep -v '^#' "$1") file=$(realpath "$2")
state=${XDG_CACHE_HOME:-$HOME/.cache}/referral/apt
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/debs"

# Debian 12 from where this machine's apt gets it, or from DEBIAN, a mirror's URL. Which packages these are, apt verifies.
known=$([ -n "${DEBIAN:-}" ] || apt-get indextargets --format '$(CODENAME) $(REPO_URI)' "Created-By: Packages" | sort -u)
sources=$(for suite in bookworm bookworm-updates bookworm-security; do
    case $suite in *-security) place=debian-security ;; *) place=debian ;; esac
    from=${DEBIAN:+$DEBIAN/$place}
    from=${from:-$(awk -v suite="$suite" '$1 == suite { print $2; exit }' <<<"$known")}
    [ -n "$from" ] || { echo "$0: this machine's apt has no $suite: set DEBIAN to the URL of a mirror of Debian" >&2; exit 1; }
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $from $suite main"
done)
apt=(apt-get -qq -o "Dir::Etc::SourceList=$state/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$state/lists"
    -o "Dir::Cache=$state" -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=3)

# One build at a time: they share what was fetched, and for an hour also the lists, so that the images of a release are of one day.
exec 9>"$state/lock"
flock 9
if [ "$sources" != "$(cat "$state/sources.list" 2>/dev/null)" ] ||
    [ -z "$(find "$state" -maxdepth 1 -name updated -mmin -60 ! -newermt now)" ]; then
    rm -f "$state/updated"
    echo "$sources" >"$state/sources.list"
    "${apt[@]}" update
    touch "$state/updated"
fi
# Which files these are today (it lists what the folder lacks: all), then fetch those that are not here yet.
# shellcheck disable=SC2086 # a list of words
files=$(cd "$root" && "${apt[@]}" download --print-uris $packages | awk '{print $2}')
# shellcheck disable=SC2086
(cd "$state/debs" && "${apt[@]}" download $packages)
exec 9>&-

mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root/var/lib/dpkg/status.d" "$root/etc/ssl/certs"
for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
for deb in $files; do
    dpkg-deb --fsys-tarfile "$state/debs/$deb" | tar -x --keep-directory-symlink -C "$root"
    dpkg-deb -f "$state/debs/$deb" Package Version Architecture Source Maintainer >"$root/var/lib/dpkg/status.d/${deb%%_*}"
done

cd "$root"
# What documents, translates, tests and draws; copyrights stay.
find usr/share/doc -type f ! -name copyright -delete
find usr/share/doc -type d -empty -delete
rm -rf usr/share/{man,info,locale,lintian,bug,bash-completion,applications,pixmaps,icons,base-files} \
    usr/share/zoneinfo/{right,posix} usr/lib/x86_64-linux-gnu/gconv usr/lib/valgrind var/cache etc/{cron*,logrotate.d,init.d,systemd,update-motd.d,dpkg,skel,ca-certificates} \
    var/backups usr/{games,src} usr/share/{gcc,gdb,binfmts,dict} usr/lib/binfmt.d usr/sbin/update-ca-certificates \
    usr/lib/python3.11/{idlelib,lib2to3,pydoc_data,tkinter,turtledemo,ensurepip,test,distutils} usr/lib/python3.11/turtle.py \
    usr/lib/postgresql/15/lib/{bitcode,llvmjit*,pgxs} usr/include
rm -rf root/.??*
# Extensions of Python whose libraries nobody asked for: terminals, old databases.
if [ -d usr/lib/python3.11/lib-dynload ]; then
    rm -f usr/lib/python3.11/lib-dynload/{readline,_curses,_curses_panel,_dbm,nis,_ctypes_test,_test*,_xxtestfuzz,xxlimited*,_tkinter,ossaudiodev}.*.so
    ln -s python3.11 usr/bin/python3
    cat usr/share/ca-certificates/mozilla/*.crt >etc/ssl/certs/ca-certificates.crt
    rm -rf usr/share/ca-certificates
    mkdir -p usr/lib/ssl && ln -s /etc/ssl/certs usr/lib/ssl/certs && ln -s /etc/ssl/certs/ca-certificates.crt usr/lib/ssl/cert.pem
fi
printf 'root:x:0:0:root:/root:/usr/sbin/nologin\nreferral:x:10001:10001::/nonexistent:/usr/sbin/nologin\n' >etc/passwd
printf 'root:x:0:\nreferral:x:10001:\n' >etc/group
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >etc/nsswitch.conf
# Nobody becomes somebody else in here.
find . -xdev -perm /6000 -exec chmod ug-s {} +
tar -c --sort=name --mtime="@$SOURCE_DATE_EPOCH" --numeric-owner --owner=0 --group=0 --format=posix \
    --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime -f "$file" .
