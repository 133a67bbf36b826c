#!/bin/sh
# The guest's first process: makes the guest's world, runs the command, leaves its exit status.
# The kernel's command line hands over EXCHANGE, the folder that host and guest share.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/guest /run/lib/modules /dev/pts /dev/shm
mount -t hostfs -o "$EXCHANGE" none /run/guest
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm

# The root file system is the host's, read-only. These are the guest's own, and empty:
for folder in /tmp /var/tmp /var/log; do
    mount -t tmpfs -o mode=1777 tmpfs "$folder"
done
# What is needed of the host's and may lie beneath them is shown again: "ro FOLDER", "rw FOLDER".
while read -r mode folder; do
    mkdir -p "$folder" 2>/dev/null
    mount -t hostfs -o "$mode,$folder" none "$folder"
done </run/guest/folders

# The kernel's modules lie where only modprobe -d finds them; the kernel calls this script too.
mount --bind /usr/lib/uml/modules /run/lib/modules
printf '#!/bin/sh\nexec /sbin/modprobe -d /run "$@"\n' >/run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe

modprobe -d /run -a ipv6 veth dummy
hostname guest
ip link set lo up
stty -F /dev/ttyS0 raw -echo
stty -F /dev/ttyS1 raw -echo
setsid sh /run/guest/command </dev/null >/dev/ttyS0 2>/dev/ttyS1
echo $? >/run/guest/status
sync
echo o >/proc/sysrq-trigger
