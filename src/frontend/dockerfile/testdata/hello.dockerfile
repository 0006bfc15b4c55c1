# syntax=docker/dockerfile:1

FROM debian AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --omit=dev
COPY . .
RUN npm run build

FROM debian
ENV NODE_ENV=production \
    PORT=8080
WORKDIR /app
COPY --from=build --chown=node:node /src/dist ./dist
USER node
EXPOSE $PORT
HEALTHCHECK --interval=30s --timeout=3s CMD wget -qO- http://localhost:$PORT/ || exit 1
ENTRYPOINT ["node"]
CMD ["dist/server.js"]
