/** Opens /dev/net/tun to everybody, in a mount namespace of its own. */
export const OPEN_TUN =
  'd=$(mktemp -d) && mount -t tmpfs none "$d" && mknod "$d/tun" c 10 200 && chmod 666 "$d/tun" && mount --bind "$d/tun" /dev/net/tun && umount -l "$d" && rmdir "$d" && exec "$@"';
