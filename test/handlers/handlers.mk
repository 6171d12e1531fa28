# Handlers as people write them, with their tests: `make handlers`.

handlers: $(B)/lambda
	@sh test/run.sh $(foreach h,gateway batch file gzip relay proxy \
	    cpp own metrics,'$(h): sh test/handlers/$(h).sh')

.PHONY: handlers
