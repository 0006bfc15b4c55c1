FROM debian stage
