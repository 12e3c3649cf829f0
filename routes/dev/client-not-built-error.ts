/** The demo page is made of the client of sdk/client, whose bundles are built and are not there. */
export class ClientNotBuiltError extends Error {
  readonly code = 'MICS_CLIENT_NOT_BUILT'

  constructor (path: string) {
    super(`the demo page needs the client of sdk/client, which is not built: there is no ${path}; run \`npm run build:sdk\``)
    this.name = 'ClientNotBuiltError'
  }
}
