import type { Hardware } from './hardware-csv.ts';

// What tests of bare metal share; nothing else may use it.

/** One machine, whose BMC has the password `secret`. */
export function exampleHardware(change: Partial<Hardware> = {}): Hardware {
  return {
    hostname: 'one',
    mac: '00:00:00:00:00:01',
    ipAddress: '10.0.0.1',
    netmask: '255.255.255.0',
    gateway: '10.0.0.254',
    nameservers: ['1.1.1.1'],
    disk: '/dev/sda',
    labels: { type: 'cp' },
    bmc: { ip: '127.0.0.1', username: 'admin', password: 'secret' },
    line: 2,
    ...change,
  };
}
