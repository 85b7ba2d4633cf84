import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv6 } from 'node:net';

/** Loopback and the networks that are never routed (RFC 1918, RFC 4193, RFC 3927, RFC 4291). */
function localNetworks(): BlockList {
  const networks = new BlockList();
  networks.addSubnet('127.0.0.0', 8);
  networks.addSubnet('10.0.0.0', 8);
  networks.addSubnet('172.16.0.0', 12);
  networks.addSubnet('192.168.0.0', 16);
  networks.addSubnet('169.254.0.0', 16);
  networks.addAddress('::1', 'ipv6');
  networks.addSubnet('fc00::', 7, 'ipv6');
  networks.addSubnet('fe80::', 10, 'ipv6');
  return networks;
}

const local = localNetworks();

/** Whether the request comes from the operator's own network, and not through a proxy that stands before everyone. */
export function isLocalClient({ socket, headers }: IncomingMessage): boolean {
  const address = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '');
  if (address === undefined || 'x-forwarded-for' in headers || 'forwarded' in headers) return false;
  return local.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
