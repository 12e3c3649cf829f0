module.exports = {
  // In the developer tools on the gateway's machine. On a phone: wss://, and a domain on the mini program's list of
  // socket domains.
  url: 'ws://127.0.0.1:8080',
  tenantId: 'demo',
}
