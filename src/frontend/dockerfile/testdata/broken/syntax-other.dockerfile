# syntax=example.org/my/frontend:1
FROM debian
