import { Command } from 'commander'
import { dlqCommand } from './events-dlq.js'
import { tailCommand } from './events-tail.js'

export function eventsCommand (): Command {
  return new Command('events')
    .description('look at what is published to Kafka, and publish dead letters again')
    .addCommand(tailCommand())
    .addCommand(dlqCommand())
    .addHelpText('after', `
They are configured as the gateway is: KAFKA_BROKERS and the other variables of Kafka, and the tenants for their secrets.

Examples:
  $ mics events tail --tenant acme
  $ mics events dlq list --tenant acme
  $ mics events dlq replay --tenant acme --dry-run`)
}
