import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 24 * 60 * 60 * 1000;
const CA_DAYS = 3650;
/** Some clients take none that are good for longer than a year or so. */
const SERVER_DAYS = 90;
/** Clocks that are a little behind take it too. */
const EARLIER_MS = 60 * 60 * 1000;

/** A certificate and its key, PEM. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
}

x509.cryptoProvider.set(webcrypto);

/** An authority for one control plane, which signs nothing but its certificates. */
export async function makeAuthority(name: string, nowMs: number): Promise<Certified> {
  const keys = await newKeys();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(nowMs, CA_DAYS),
    name: [{ O: ['Acheron'] }, { CN: [`Acheron control plane ${name}`] }],
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pem(cert), key: await pemOfKey(keys.privateKey) };
}

/** A certificate of a server for these names and addresses. */
export async function makeServerCertificate(
  authority: Certified,
  names: readonly string[],
  nowMs: number,
): Promise<Certified> {
  const issuer = new x509.X509Certificate(authority.cert);
  const keys = await newKeys();
  const cert = await x509.X509CertificateGenerator.create({
    ...validity(nowMs, SERVER_DAYS),
    subject: [{ CN: [names[0] ?? 'localhost'] }],
    issuer: issuer.subject,
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await keyFromPem(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { cert: pem(cert), key: await pemOfKey(keys.privateKey) };
}

function validity(nowMs: number, days: number) {
  return {
    serialNumber: `00${randomBytes(15).toString('hex')}`,
    notBefore: new Date(nowMs - EARLIER_MS),
    notAfter: new Date(nowMs + days * DAY_MS),
  };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

const pem = (cert: x509.X509Certificate): string => `${cert.toString('pem')}\n`;

async function pemOfKey(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey('pkcs8', key);
  return `${x509.PemConverter.encode(bytes, 'PRIVATE KEY')}\n`;
}

async function keyFromPem(text: string): Promise<webcrypto.CryptoKey> {
  const bytes = x509.PemConverter.decodeFirst(text);
  return await webcrypto.subtle.importKey('pkcs8', bytes, ALGORITHM, false, ['sign']);
}
