/** The version that this code writes into `v` of every envelope. History: README, "Change log". */
export const protocolVersion = 1;

/** A receiver takes the current version and the one before it; version 1 has none before it. */
export const acceptedVersions: readonly number[] = [protocolVersion];
