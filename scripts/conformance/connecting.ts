const tokens = [
  'valid:alice', 'a', 'ab', 'abc', 'abcd', '令牌', '😀', 'José', 'a b+c/d=e', '~~~???>>>', '\ufeff', 'x'.repeat(200),
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl',
]

export function subprotocol (): object {
  return {
    description: 'How a token travels: as the second of the offered subprotocols, in base64url of its UTF-8, without padding. The gateway answers with the first, mics.v1. urls: where a client connects; two URLs are the same where their paths are, and their queries after decoding.',
    tokens: tokens.map(token => ({ token, offered: ['mics.v1', `mics.token.${base64url(token)}`] })),
    urls: [
      url('wss://im.example.com', 'acme', 'phone-1'),
      url('wss://im.example.com/', 'acme', 'phone-1', 'wss://im.example.com/ws'),
      url('wss://im.example.com/chat', 'acme', 'phone-1'),
      url('ws://localhost:8080', 'a b', 'tab&1=2'),
      url('ws://[::1]:8080', '100%', 'a+b'),
      url('wss://im.example.com', 'köln', '李雷的手机 😀'),
      url('wss://im.example.com', '.', '#1?/x'),
    ],
  }
}

function url (base: string, tenant: string, device: string, endpoint = `${base}/ws`): object {
  const value = `${endpoint}?tenantId=${encodeURIComponent(tenant)}&deviceId=${encodeURIComponent(device)}`
  return { base, tenant_id: tenant, device_id: device, url: value }
}

function base64url (text: string): string {
  return Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
