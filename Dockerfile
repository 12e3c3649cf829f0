# The gateway. Build: docker build -t mics .   Run: docker run -p 8080:8080 -e TENANT_AUTH_MAP=acme=http://... mics
# The arguments are those of `mics`: `docker run mics config check`.

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Only to compile: nothing here needs a script of a package.
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build

FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Source maps, and what the Kafka client is built from, are a quarter of it and of no use here.
RUN npm ci --omit=dev \
  && find node_modules -name '*.map' -delete \
  && rm -rf node_modules/@confluentinc/kafka-javascript/deps

FROM node:24-slim
# ca-certificates for TLS to Kafka: the Kafka client trusts the CAs of the system. tini is process 1: it passes signals
# on, and reaps what a `docker exec` may leave.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates tini \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
# So that `mics` is a command in the image: docker exec gateway mics trace-message …
RUN ln -s /app/dist/cli/mics.js /usr/local/bin/mics
# npm leaves the Kafka client out where its binary cannot be downloaded. Better no image than one without events.
RUN node -e "require('@confluentinc/kafka-javascript')"
USER node
# For clients, and for peers.
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# No shell in between: the SIGTERM that drains the gateway comes through.
ENTRYPOINT ["/usr/bin/tini", "--", "node", "dist/cli/mics.js"]
CMD ["start"]
