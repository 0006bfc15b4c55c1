FROM --platform=linux/vax/11/780/x debian
