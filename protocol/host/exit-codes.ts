/** Exit codes of every program of the house (sysexits.h where it has one). README, "Exit codes". */
export const exitCodes = {
  ok: 0,
  failed: 1,
  /** Wrong use of the command line. */
  usage: 64,
  /** A service that the command needs does not answer. */
  unavailable: 69,
  /** Storage failed. */
  ioError: 74,
  /** The configuration is wrong; every wrong field is listed. */
  config: 78,
} as const;
