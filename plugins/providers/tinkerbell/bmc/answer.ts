/** How a BMC is reached and logged in to. */
export interface BmcLogin {
  /** IP address */
  host: string;
  port: number;
  username: string;
  password: string;
}

export type PowerState = 'on' | 'off' | 'unknown';

/**
 * What came of asking a BMC. `refused`: it does not accept user or password; `untrusted`: its certificate was not signed by
 * the given authority, and nothing secret was sent; `silent`: nothing answers in this protocol.
 */
export type BmcAnswer =
  | {
      kind: 'answers';
      protocol: 'Redfish' | 'IPMI';
      power: PowerState;
      /** what it can be told to boot from, in Redfish's words; absent where it does not say */
      bootTargets?: readonly string[];
    }
  | { kind: 'refused' | 'untrusted' | 'silent'; detail: string };
