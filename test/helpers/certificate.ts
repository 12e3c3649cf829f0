import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** Paths of PEM files. */
export interface Certificate {
  key: string
  cert: string
}

/** Makes a key and a certificate for 127.0.0.1 and localhost that signs itself, in that folder. */
export function makeCertificate (folder: string): Certificate {
  const [key, cert] = ['key.pem', 'cert.pem'].map(name => join(folder, name))
  const { status, error, stderr } = spawnSync('openssl', [
    'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost',
  ], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl made no certificate: ${error?.message ?? stderr}`)
  return { key, cert }
}
