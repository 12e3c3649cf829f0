import { Command } from 'commander'
import { doctorCommand } from './hook-doctor.js'
import { mockCommand } from './hook-mock.js'

export function hookCommand (): Command {
  return new Command('hook')
    .description('try hooks')
    .addCommand(mockCommand())
    .addCommand(doctorCommand())
    .addHelpText('after', `
Examples:
  $ mics hook mock
  $ mics hook mock --port 8085 --members team=alice,bob
  $ mics hook doctor --url http://127.0.0.1:8081 --tenant acme --secret-file acme.secret`)
}
