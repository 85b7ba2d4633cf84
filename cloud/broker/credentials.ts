import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Credential } from '../store/store.ts';

/**
 * A new station password: 144 random bits. No dictionary holds it, so a plain salted SHA-256 keeps
 * it as safe as a slow hash would, and 12,000 stations that come back at once cost no CPU minutes.
 */
export function newPassword(): string {
  return randomBytes(18).toString('base64url');
}

export function hashPassword(password: string): Credential {
  const salt = randomBytes(16).toString('hex');
  return { salt, hash: digest(salt, password).toString('hex') };
}

/** Takes the same time whether the password is right or wrong. */
export function isPassword(credential: Credential, password: Uint8Array): boolean {
  const expected = Buffer.from(credential.hash, 'hex');
  const found = digest(credential.salt, password);
  return expected.length === found.length && timingSafeEqual(expected, found);
}

function digest(salt: string, password: string | Uint8Array): Buffer {
  return createHash('sha256').update(salt).update(password).digest();
}
