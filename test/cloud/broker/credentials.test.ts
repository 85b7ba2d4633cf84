import { expect, test } from 'vitest';
import { hashPassword, isPassword, newPassword } from '../../../cloud/broker/credentials.ts';

test('a password is its own, and no other is', () => {
  const password = newPassword();
  const credential = hashPassword(password);
  expect(isPassword(credential, Buffer.from(password))).toBe(true);
  for (const wrong of ['', password.slice(1), `${password} `, newPassword()])
    expect(isPassword(credential, Buffer.from(wrong))).toBe(false);
});

test('what is stored is SHA-256 over salt and password, and tells of neither', () => {
  const credential = hashPassword('secret');
  expect(credential.salt).toMatch(/^[0-9a-f]{32}$/);
  expect(credential.hash).toMatch(/^[0-9a-f]{64}$/);
  const known = { salt: 'ab', hash: '5e2f50912695cd3757c0f49ded31c51568f790c04ec82ade18df999a40464bf3' };
  expect(isPassword(known, Buffer.from('secret'))).toBe(true);
});

test('two passwords differ, and so do two hashes of one password', () => {
  expect(newPassword()).not.toBe(newPassword());
  expect(newPassword()).toMatch(/^[A-Za-z0-9_-]{24}$/);
  expect(hashPassword('same').hash).not.toBe(hashPassword('same').hash);
});

test.each([
  ['', ''],
  ['aa', ''],
  ['aa', 'not hex'],
  ['aa', 'aabb'],
])('a stored credential that is none lets nobody in: salt "%s", hash "%s"', (salt, hash) => {
  expect(isPassword({ salt, hash }, Buffer.from(''))).toBe(false);
  expect(isPassword({ salt, hash }, Buffer.from('x'))).toBe(false);
});
